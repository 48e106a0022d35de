"""The catalogue as a list."""

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.models import Product
from marketing.core.auth import page

PER_PAGE = 50


@page("view")
def product_list(request: HttpRequest) -> HttpResponse:
    """Products by name, with search."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    found = Product.objects.all()
    if text:
        found = found.filter(Q(name__icontains=text) | Q(sku__istartswith=text))
    shown = Paginator(found.order_by("name", "id"), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": shown, "q": text}
    template = "ingestion/product_list.html"
    if request.headers.get("HX-Target") == "product-rows":
        template = "ingestion/_product_rows.html"
    return render(request, template, context)
